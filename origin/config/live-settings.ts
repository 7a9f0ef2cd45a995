import { defineSettings, type Kind, type Setting, setting, type Values } from '../../runtime/settings/define.ts'
import {
  boolean,
  choice,
  days,
  integer,
  optionalLdapUrl,
  optionalParameters,
  optionalText,
  optionalUrl,
  scopes,
  text,
} from '../../runtime/settings/kinds.ts'
import { optionalFilter } from '../identity/ldap/filters.ts'
import { optionalGroupFilter } from '../identity/oidc/group-filter.ts'

const live = <T>(kind: Kind<T>, fallback: T, description: string, options: Pick<Setting<T>, 'secret'> = {}) =>
  setting(kind, fallback, description, { ...options, live: true })

/** A search's reach in LDAP. */
const LDAP_SCOPES = '0 for the entry itself, 1 for those right below it, 2 for all below it'

/** What an administrator may change while the origin runs, by the names that Harbor's API gives. What the file or the environment sets is fixed. */
export const liveSettings = defineSettings({
  project_creation_restriction: live(
    choice('adminonly', 'everyone'),
    'adminonly',
    'Who may create projects: system administrators, or everybody who can log in.',
  ),
  self_registration: live(boolean, false, 'Whether people may create their own accounts.'),
  storage_per_project: live(integer(-1, Number.MAX_SAFE_INTEGER), -1, 'The quota of a new project in bytes; -1 for none.'),
  robot_token_duration: live(days(36_500), 30, 'For how many days a robot is good whose maker does not say; -1 for ever.'),
  banner_message: live(text, '', 'What the portal shows to everybody.'),
  notification_enable: live(boolean, true, 'Whether webhooks are sent.'),
  scanner_skip_update_pulltime: live(boolean, false, 'Whether a pull by a scanner leaves the time of the last pull as it is.'),
  session_timeout: live(integer(1, 43_200), 60, 'How long a login by browser lasts, in minutes.'),
  auth_mode: live(
    choice('db_auth', 'ldap_auth', 'oidc_auth'),
    'db_auth',
    'Who knows the people: this database, LDAP, or an OpenID provider. Accounts of this database with a password work in each.',
  ),
  primary_auth_mode: live(boolean, false, 'Whether the portal goes straight to the OpenID provider.'),
  ldap_url: live(optionalLdapUrl, undefined, 'The LDAP server: `ldap://` or `ldaps://`.'),
  ldap_start_tls: live(boolean, false, 'Whether a connection by `ldap://` is encrypted by StartTLS.'),
  ldap_verify_cert: live(boolean, true, 'Whether the certificate of the LDAP server is checked.'),
  ldap_timeout: live(integer(1, 60), 5, 'How long the LDAP server may take, in seconds.'),
  ldap_search_dn: live(optionalText, undefined, 'Who searches; nobody when absent.'),
  ldap_search_password: live(optionalText, undefined, 'The password of `ldap_search_dn`.', { secret: true }),
  ldap_base_dn: live(optionalText, undefined, 'Below which entry people are.'),
  ldap_uid: live(text, 'uid', 'The attribute that is the user name.'),
  ldap_filter: live(optionalFilter, undefined, 'Which entries are people, for instance `(objectClass=person)`.'),
  ldap_scope: live(integer(0, 2), 2, `How far people are searched: ${LDAP_SCOPES}.`),
  ldap_group_base_dn: live(optionalText, undefined, 'Below which entry groups are; without it there are none.'),
  ldap_group_search_filter: live(optionalFilter, undefined, 'Which entries are groups, for instance `(objectClass=groupOfNames)`.'),
  ldap_group_attribute_name: live(text, 'cn', 'The attribute that is the name of a group.'),
  ldap_group_search_scope: live(integer(0, 2), 2, `How far groups are searched: ${LDAP_SCOPES}.`),
  ldap_group_membership_attribute: live(text, 'memberof', 'The attribute of a person that names his groups.'),
  ldap_group_admin_dn: live(optionalText, undefined, 'The group whose people are system administrators.'),
  ldap_group_attach_parallel: live(boolean, false, 'Taken and kept for Harbor’s clients; groups are always looked up together.'),
  oidc_name: live(optionalText, undefined, 'What the OpenID provider is called at the login.'),
  oidc_endpoint: live(optionalUrl, undefined, 'The issuer of the OpenID provider, where `/.well-known/openid-configuration` is.'),
  oidc_client_id: live(optionalText, undefined, 'Who we are there.'),
  oidc_client_secret: live(optionalText, undefined, 'Our secret there.', { secret: true }),
  oidc_scope: live(scopes, ['openid', 'profile', 'email'], 'What is asked for; `offline_access` as well for CLI secrets that end with the account.'),
  oidc_verify_cert: live(boolean, true, 'Whether the certificate of the OpenID provider is checked.'),
  oidc_auto_onboard: live(boolean, false, 'Whether the user name comes from the provider instead of being asked for at the first login.'),
  oidc_user_claim: live(optionalText, undefined, 'The claim that is the user name; `name` when absent.'),
  oidc_groups_claim: live(optionalText, undefined, 'The claim that lists groups.'),
  oidc_group_filter: live(optionalGroupFilter, undefined, 'A regular expression: only groups that match it are taken.'),
  oidc_admin_group: live(optionalText, undefined, 'The group whose people are system administrators.'),
  oidc_extra_redirect_parms: live(optionalParameters, undefined, 'More parameters for the provider’s login page, as a JSON object of texts.'),
  oidc_logout: live(boolean, false, 'Whether logging out here logs out at the provider.'),
})

export type LiveValues = Values<typeof liveSettings>
export type LiveKey = keyof LiveValues

/** Which secret goes to which address: it is for that server and for no other. */
export const SECRET_OF = { ldap_url: 'ldap_search_password', oidc_endpoint: 'oidc_client_secret' } as const satisfies Partial<
  Record<LiveKey, LiveKey>
>
