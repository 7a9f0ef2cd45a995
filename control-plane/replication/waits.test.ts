import { expect, it } from 'vitest'
import { TestClock } from '../../test/support/clock.ts'
import { waitsIn } from './waits.ts'

it('a task says that a registry wants to be asked again later, and does not say it again and again', () => {
  const lines: string[] = []
  const clock = new TestClock()
  const onWait = waitsIn({ line: (_level, text) => lines.push(text) }, clock)
  const url = new URL('https://registry.example.com/v2/team/app/manifests/v1')
  for (const wait of [
    { url, status: 429, ms: 6_500 },
    { url, status: 429, ms: 7_000 },
    { url, status: 503, ms: 300 },
    { url, status: undefined, ms: 2_000 },
  ]) {
    onWait(wait)
  }
  clock.advance(10_000)
  onWait({ url, status: 429, ms: 3_000 })
  expect(lines).toEqual([
    'registry.example.com answers HTTP 429; it is asked again in 7 s.',
    'registry.example.com does not answer; it is asked again in 2 s.',
    'registry.example.com answers HTTP 429; it is asked again in 3 s.',
  ])
})
