import { expect, it } from 'vitest'
import { atollCli, atollJson, targetAt } from '../replication/sites.ts'
import { type AtollProcess, startAtoll } from '../support/atoll.ts'
import { pushImage, randomImage } from '../support/images.ts'
import { inStep, look, pair, status } from './pair.ts'

it('what cannot be a pair is refused with a sentence that says what to do, and nothing comes of it', async () => {
  await using east = await startAtoll({ role: 'origin' })
  await using west = await startAtoll({ role: 'origin' })
  await using north = await startAtoll({ role: 'origin' })
  const at = (site: AtollProcess) => `http://${site.origin}`
  const token = async (site: AtollProcess) => (await atollJson<{ token: string }>(site, 'dr', 'pair')).token
  const known = async (site: AtollProcess) => {
    const { site: name, role, epoch } = await look(site)
    return { name, role, epoch }
  }
  const refused = async (site: AtollProcess, ...args: string[]) => {
    const before = await known(site)
    const { code, stderr } = await site.cli('dr', 'pair', ...args)
    expect(code, stderr).not.toBe(0)
    expect(await known(site), stderr).toEqual(before)
    return stderr
  }

  expect(await refused(west, '--name', 'other', '--with', 'http://127.0.0.1:1', '--token', 'any')).toContain('cannot be reached at 127.0.0.1:1')
  const good = await token(east)
  await token(north)
  expect(await refused(north, '--name', 'other', '--with', 'http://127.0.0.1:1', '--token', good)).toContain('cannot be reached')
  expect(await refused(west, '--with', at(east), '--token', 'wrong')).toContain('This token is not known, was used already, or has expired')
  expect(await refused(east, '--with', at(east), '--token', good)).toContain('A site cannot be the standby of itself')
  expect(await refused(west, '--with', 'http://127.0.0.1:1', '--token', good)).toContain('cannot be reached at 127.0.0.1:1')
  expect(await refused(west, '--with', at(east))).toContain('A standby needs both')
  expect(await refused(west, '--name', '127.0.0.1', '--with', at(east), '--token', good)).toContain('Both sites would be called 127.0.0.1')
  // Somebody's login is not what is wrong.
  expect(await refused(west, '--with', at(east), '--token', 'wrong')).not.toContain('credentials')

  // Its artifacts would be lost.
  await pushImage(targetAt(north, 'library/app'), randomImage(), 'mine')
  expect(await refused(north, '--with', at(east), '--token', good)).toContain('Only an empty site can become a standby')
  for (const site of [east, west, north]) expect(await status(site)).toMatchObject({ state: 'unpaired', takes_writes: true })

  // None of that has used the token.
  await atollCli(west, 'dr', 'pair', '--name', 'west', '--with', at(east), '--token', good)
  await inStep(east, west)
  await using south = await startAtoll({ role: 'origin' })
  expect(await refused(south, '--with', at(east), '--token', good)).toContain('This token is not known, was used already')
  for (const site of [east, west]) expect(await refused(site)).toContain('This site has its other already')
  await pair(north, south)
  expect(await refused(north, '--with', at(east), '--token', good)).toContain('This site has its other already')
  expect(await status(west)).toMatchObject({ role: 'standby', state: 'following' })
}, 180_000)
