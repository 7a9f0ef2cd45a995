import inspector from 'node:inspector/promises'

/** Where code of schema/ makes a statement. */
export interface Place {
  readonly file: string
  readonly function: string
  /** The code itself, as far as it helps to find it. */
  readonly code: string
}

/** The calls of the query builder that begin a statement, and what sends one that is written out. */
const MAKES = /\bsql\s*\.(?:select|selectDistinct|insert|update|delete|run|all|get)\(/g
const SCHEMA = /\/schema\/(?!tables\/)(?!.*\.test\.)[^?]+\.ts$/

/**
 * Counts, from now on, which parts of the code are passed: V8's own coverage, by blocks, of what is compiled after this. So it has to be called before
 * anything of schema/ is imported.
 */
export async function watchPlaces(): Promise<{ missed(): Promise<{ readonly places: number; readonly missed: readonly Place[] }> }> {
  const session = new inspector.Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  return {
    /** The places in modules that were loaded and have made no statement. */
    async missed() {
      const { result } = await session.post('Profiler.takePreciseCoverage')
      await session.post('Debugger.enable')
      const missed: Place[] = []
      let places = 0
      for (const { url, scriptId, functions } of result.filter(({ url }) => SCHEMA.test(url))) {
        const { scriptSource } = await session.post('Debugger.getScriptSource', { scriptId })
        const ranges = functions.flatMap(({ functionName, ranges }) => ranges.map((range) => ({ ...range, functionName })))
        for (const { index } of scriptSource.matchAll(MAKES)) {
          places++
          const around = ranges.filter(({ startOffset, endOffset }) => startOffset <= index && index < endOffset)
          const inner = around.reduce((a, b) => (b.endOffset - b.startOffset <= a.endOffset - a.startOffset ? b : a))
          if (inner.count > 0) continue
          const name = around.findLast((range) => range.functionName !== '')?.functionName ?? ''
          missed.push({
            file: url.replace(/^.*(?=\/schema\/)/, '').slice(1),
            function: name,
            code: scriptSource.slice(index, index + 80).replaceAll(/\s+/g, ' '),
          })
        }
      }
      session.disconnect()
      return { places, missed }
    },
  }
}
