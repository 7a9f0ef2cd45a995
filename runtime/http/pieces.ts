/** What all answers of a server hold in memory of the bodies that they send, as long as no piece need be smaller than the least. */
const BYTES = 32 * 1024 * 1024
/** Of each answer, one piece is in the socket's hands and one is read ahead. */
const PIECES_OF_AN_ANSWER = 2
/** Larger ones are no faster. */
const MOST = 256 * 1024
/** Smaller ones cost more turns than memory. */
const LEAST = 16 * 1024

/**
 * How large the pieces are in which bodies are read and sent: large while few are being sent, so that each goes as fast as it can; smaller the more
 * there are, so that very many slow clients cost little. A bound of bytes, not of answers.
 */
export class Pieces {
  #answers = 0
  #bytes = MOST

  /** Of the next piece, in bytes: a power of two. */
  get bytes(): number {
    return this.#bytes
  }

  /** An answer with a body begins; what it returns says that it has ended. */
  begin(): () => void {
    this.#count(1)
    return () => this.#count(-1)
  }

  #count(more: 1 | -1): void {
    this.#answers += more
    const share = BYTES / (PIECES_OF_AN_ANSWER * Math.max(1, this.#answers))
    this.#bytes = Math.min(MOST, Math.max(LEAST, 2 ** Math.floor(Math.log2(share))))
  }
}
