/** An edge as a run torments it: a process of its own, which keeps what it has. */
export interface ChaosEdge extends AsyncDisposable {
  /** `127.0.0.1:port` */
  readonly edge: string
  readonly pid: number
  /** Ends it as a power cut would. */
  kill(): Promise<void>
  /** Starts it again on the same data and port. */
  restart(): Promise<void>
  output(): Promise<string>
  /** Blobs that it keeps and that have other bytes than their names say. */
  wrongBlobs(): Promise<string[]>
  /** By then it has given up on its sources, whatever they do. Milliseconds. */
  readonly answersWithinMs: number
}
