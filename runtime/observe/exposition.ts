// The one place that knows Prometheus' client. It is loaded when somebody first asks for metrics: who does not, does not pay for it.

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Reading, Shown } from './shown.ts'
import { type AnswerTimes, BORDERS } from './times.ts'

/** A page for Prometheus: what `shown` gives when it is asked for, the times of answers, and what Node knows of the process. */
export function exposition(shown: readonly Shown[], times: AnswerTimes): () => Promise<{ readonly text: string; readonly type: string }> {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  for (const one of shown) registry.registerMetric(one.kind === 'counter' ? counterOf(one) : gaugeOf(one))
  registry.registerMetric(new AnswerHistogram(times))
  registry.registerMetric(
    gaugeOf({ name: 'atoll_http_requests_in_progress', help: 'Requests whose answer has not begun.', kind: 'gauge', read: () => times.underWay }),
  )
  return async () => ({ text: await registry.metrics(), type: registry.contentType })
}

function counterOf({ name, help, labels: labelNames = [], read }: Shown): Counter {
  return new Counter({
    name,
    help,
    labelNames,
    registers: [],
    async collect() {
      this.reset()
      for (const { labels, value } of spread(await read())) this.inc(labels, value)
    },
  })
}

function gaugeOf({ name, help, labels: labelNames = [], read }: Shown): Gauge {
  return new Gauge({
    name,
    help,
    labelNames,
    registers: [],
    async collect() {
      this.reset()
      for (const { labels, value } of spread(await read())) this.set(labels, value)
    },
  })
}

function spread(reading: Reading) {
  return typeof reading === 'number' ? [{ labels: {}, value: reading }] : reading
}

const NAME = 'atoll_http_answer_seconds'
const HELP = 'From a request to the head of its answer, by kind of request and status.'

/** Shows what AnswerTimes has counted, which is cheaper to count into than a Histogram. */
class AnswerHistogram extends Histogram {
  readonly #times: AnswerTimes
  /** For what every histogram says of itself. */
  readonly #empty = new Histogram({ name: NAME, help: HELP, registers: [] })

  constructor(times: AnswerTimes) {
    super({ name: NAME, help: HELP, registers: [] })
    this.#times = times
  }

  override get(): Promise<HistogramObject> {
    return this.getForPromString()
  }

  /** What the registry asks when it writes the page. */
  async getForPromString(): Promise<HistogramObject> {
    const shape = await this.#empty.get()
    const values: HistogramObject['values'] = []
    for (const { route, status, count, seconds, buckets } of this.#times.all()) {
      const labels = { route, status: String(status) }
      const add = (suffix: string, value: number, le?: string) =>
        values.push({ metricName: `${shape.name}_${suffix}`, value, labels: le === undefined ? labels : { le, ...labels } })
      let within = 0
      BORDERS.forEach((border, index) => {
        within += buckets[index] ?? 0
        add('bucket', within, String(border))
      })
      add('bucket', count, '+Inf')
      add('sum', seconds)
      add('count', count)
    }
    return { ...shape, values }
  }
}

type HistogramObject = Awaited<ReturnType<Histogram['get']>>
