import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: ['node_modules/**', 'data/**'],
    testTimeout: 90_000,
    hookTimeout: 120_000,
    pool: 'forks',
    // Most tests wait for processes of their own: more at once than processors.
    maxWorkers: availableParallelism() + 1,
  },
})
