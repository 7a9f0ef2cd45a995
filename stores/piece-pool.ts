/** What those who read files here may hold at once, as long as no piece need be smaller than the least. */
const BYTES = 32 * 1024 * 1024
/** While less than this is held, pieces are as large as they get, however many read: those who read the same file hold the same pieces. */
const EASY = 8 * 1024 * 1024
/** Of each reader, one piece is in a socket's hands and one is read ahead. */
const PIECES_OF_A_READER = 2
/** Larger ones are no faster. */
const MOST = 256 * 1024
/** Smaller ones cost more turns than memory. */
const LEAST = 16 * 1024
/** What nobody holds, and others who read the same file may come to. */
const IDLE = 16 * 1024 * 1024
/** Memory that waits to be filled again. */
const SPARE = 4 * 1024 * 1024

/** So many bytes of a file from `offset` on, in memory. */
export interface Piece {
  readonly offset: number
  readonly bytes: Uint8Array<ArrayBuffer>
  /** Resolves when they are read. Rejects with the system's error. */
  readonly read: Promise<void>
  readonly of: SharedFile
  holders: number
  /** Somebody has it who will not say when he has done with it. */
  lost: boolean
}

/** A file as it is read by as many as like. */
export interface SharedFile {
  readonly key: unknown
  /** What is read of it, or was a moment ago, by where it begins. */
  readonly pieces: Map<number, Piece>
  readers: number
}

/** Reads into `memory` from this byte of the file on, as much as it holds. */
export type ReadFile = (memory: Uint8Array<ArrayBuffer>, offset: number) => Promise<void>

/**
 * Files in pieces that all who read the same file share: a layer that a hundred machines want at once is read once, and not copied for each. The memory is
 * used again and again. Pieces begin at multiples of their size, which is smaller the more is held: a bound of bytes, not of readers.
 */
export class PiecePool {
  /** What somebody holds. */
  #held = 0
  #readers = 0
  /** In the order in which they were let go. */
  readonly #idle = new Set<Piece>()
  #idleBytes = 0
  readonly #spare = new Map<number, ArrayBuffer[]>()
  #spareBytes = 0
  readonly #files = new Map<unknown, SharedFile>()

  /** Somebody begins to read what is known by `key`: as long as anybody does, it must have the same bytes. */
  begin(key: unknown): SharedFile {
    const file = this.#files.get(key) ?? { key, pieces: new Map<number, Piece>(), readers: 0 }
    this.#files.set(key, file)
    file.readers++
    this.#readers++
    return file
  }

  /** He has what he wanted. */
  end(file: SharedFile): void {
    file.readers--
    this.#readers--
    if (file.readers > 0) return
    this.#files.delete(file.key)
    for (const piece of file.pieces.values()) if (piece.holders === 0) this.#drop(piece)
  }

  /** The piece that has this byte, to be let go in the end. Where there is none it is read, up to `end` at most. */
  hold(file: SharedFile, position: number, end: number, read: ReadFile): Piece {
    const found = find(file, position)
    if (found !== undefined) {
      if (found.holders++ === 0) {
        this.#wake(found)
        this.#held += sizeOf(found)
      }
      return found
    }
    const size = this.#held < EASY ? MOST : this.#share
    // Whoever begins elsewhere is soon where the others are.
    const length = Math.min(size - (position % size), end - position)
    const bytes = new Uint8Array(this.#memory(length), 0, length)
    const piece: Piece = { of: file, offset: position, bytes, read: read(bytes, position), holders: 1, lost: false }
    this.#held += sizeOf(piece)
    file.pieces.set(position, piece)
    // What could not be read is nobody's.
    piece.read.catch(() => this.#forget(piece))
    return piece
  }

  /** `done`: whoever held it looks at it no more. Otherwise nobody can say when it may be used again. */
  letGo(piece: Piece, done: boolean): void {
    if (!done) piece.lost = true
    if (--piece.holders > 0) return
    const { of: file, offset } = piece
    this.#held -= sizeOf(piece)
    this.#idle.add(piece)
    this.#idleBytes += sizeOf(piece)
    if (file.readers < 2 || file.pieces.get(offset) !== piece) this.#drop(piece)
    for (const oldest of this.#idle) {
      if (this.#idleBytes <= IDLE) break
      this.#drop(oldest)
    }
  }

  /** Of a reader, when what is held is more than a little. */
  get #share(): number {
    const share = BYTES / (PIECES_OF_A_READER * Math.max(1, this.#readers))
    return Math.min(MOST, Math.max(LEAST, 2 ** Math.floor(Math.log2(share))))
  }

  #memory(length: number): ArrayBuffer {
    const size = Math.max(LEAST, 2 ** Math.ceil(Math.log2(length)))
    const spare = this.#spare.get(size)?.pop()
    if (spare === undefined) return Buffer.allocUnsafeSlow(size).buffer
    this.#spareBytes -= size
    return spare
  }

  /** It is idle no more. */
  #wake(piece: Piece): void {
    this.#idle.delete(piece)
    this.#idleBytes -= sizeOf(piece)
  }

  #drop(piece: Piece): void {
    this.#forget(piece)
    this.#wake(piece)
    const size = sizeOf(piece)
    if (piece.lost || this.#spareBytes + size > SPARE) return
    this.#spareBytes += size
    const spare = this.#spare.get(size) ?? []
    this.#spare.set(size, spare)
    spare.push(piece.bytes.buffer)
  }

  /** Nobody finds it any more. */
  #forget(piece: Piece): void {
    if (piece.of.pieces.get(piece.offset) === piece) piece.of.pieces.delete(piece.offset)
  }
}

/** Of the memory that it has, which may be more than its bytes. */
function sizeOf({ bytes }: Piece): number {
  return bytes.buffer.byteLength
}

function find({ pieces }: SharedFile, position: number): Piece | undefined {
  const exact = pieces.get(position)
  if (exact !== undefined) return exact
  for (let size = LEAST; size <= MOST; size *= 2) {
    const piece = pieces.get(position - (position % size))
    if (piece !== undefined && position < piece.offset + piece.bytes.length) return piece
  }
  return undefined
}
