import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { Miniflare } from 'miniflare'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { blobStoreCases } from './contract/blob-store-cases.ts'
import { objectStoreCases } from './contract/object-store-cases.ts'

/** The cases run inside workerd, so that it is the real binding, and the runtime's own streams, that are held to the contract. */
describe('in workerd', () => {
  let worker: Miniflare
  beforeAll(async () => {
    const bundle = await build({
      entryPoints: [fileURLToPath(new URL('./contract/worker.ts', import.meta.url))],
      bundle: true,
      write: false,
      format: 'esm',
      platform: 'neutral',
      mainFields: ['module', 'main'],
      external: ['node:*'],
      target: 'es2024',
    })
    worker = new Miniflare({
      modules: [{ type: 'ESModule', path: 'worker.js', contents: bundle.outputFiles[0]?.text ?? '' }],
      compatibilityDate: '2026-04-01',
      compatibilityFlags: ['nodejs_compat'],
      r2Buckets: ['BUCKET'],
    })
    await worker.ready
  })
  afterAll(() => worker.dispose())

  const run = async (of: string, name: string) => {
    const response = await worker.dispatchFetch(`http://worker/?${new URLSearchParams({ of, case: name })}`)
    expect(await response.text()).toBe('held')
  }
  describe('R2, as a store of objects', () => {
    it.each(Object.keys(objectStoreCases))('%s', (name) => run('objects', name))
  })
  describe('slices in R2, as a store of blobs', () => {
    it.each(Object.keys(blobStoreCases))('%s', (name) => run('blobs', name))
  })
})
