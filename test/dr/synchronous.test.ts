import { expect, it } from 'vitest'
import { atollCli, pull, targetAt } from '../replication/sites.ts'
import { pushImage, randomImage } from '../support/images.ts'
import { inStep, pair, twoSites } from './pair.ts'

it('a push to a synchronous project is answered when the standby has it, and not before', async () => {
  await using sites = await twoSites()
  const { primary, standby } = sites
  await pair(primary, standby)
  await inStep(primary, standby)
  await atollCli(primary, 'dr', 'synchronous', 'library')
  for (let n = 0; n < 3; n++) {
    const image = randomImage({ layers: [200_000] })
    await pushImage(targetAt(primary, 'library/app'), image, `t${n}`)
    // At once, without waiting for anything.
    expect((await pull(standby, `library/app/manifests/t${n}`)).status).toBe(200)
    for (const { digest } of image.blobs) expect((await pull(standby, `library/app/blobs/${digest}`)).status).toBe(200)
  }
  // A standby that hears nothing: no push is acknowledged.
  process.kill(standby.pid, 'SIGSTOP')
  const pushed = pushImage(targetAt(primary, 'library/app'), randomImage(), 'late')
  await expect(pushed).rejects.toThrow(/answered 503/)
  process.kill(standby.pid, 'SIGCONT')
  await inStep(primary, standby)
  // Nothing that was acknowledged is at one site alone, after a takeover either.
  await primary.kill()
  expect((await atollCli(standby, 'dr', 'promote')).stdout).toMatch(/synchronous: library\b/)
  await expect(pushImage(targetAt(standby, 'library/app'), randomImage(), 'alone')).rejects.toThrow(/answered 503.*has yet to rejoin/s)
  expect((await pull(standby, 'library/app/manifests/alone')).status).toBe(404)
  await atollCli(standby, 'dr', 'synchronous', 'library', '--off')
  await pushImage(targetAt(standby, 'library/app'), randomImage(), 'alone')
}, 120_000)
