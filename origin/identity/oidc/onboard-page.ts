import { html } from 'hono/html'

/** Where whoever comes from the provider for the first time chooses a name. */
export const ONBOARD_PAGE = '/oidc-onboard'
/** Where its form goes. */
export const ONBOARD = '/c/oidc/onboard'

const POLICY = "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

/** A form that asks for a user name. `problem`: what is wrong with the one that was sent, in a sentence, and the status that says so. */
export async function onboardPage(username: string, problem?: { readonly text: string; readonly status: number }): Promise<Response> {
  const page = html`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark"><title>Choose a user name</title></head>
<body>
<main>
<h1>Choose a user name</h1>
<p>You are logged in at your OpenID provider, and have no account here yet. Docker and other clients will ask for this name; it cannot be changed later.</p>
${problem === undefined ? '' : html`<p role="alert"><strong>${problem.text}</strong></p>`}
<form method="post" action="${ONBOARD}">
<p><label>User name <input name="username" value="${username}" maxlength="255" autocomplete="username" autocapitalize="none" spellcheck="false" required autofocus></label>
<button>Create the account</button></p>
</form>
<p><a href="/c/oidc/login">Log in anew</a></p>
</main>
</body>
</html>
`
  return new Response(String(await page), {
    status: problem?.status ?? 200,
    headers: { 'Content-Type': 'text/html; charset=utf-8', 'Content-Security-Policy': POLICY, 'Cache-Control': 'no-store' },
  })
}
