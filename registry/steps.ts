/**
 * Told by name of each step of a work that must be whole in the end although the process may end at any of them: this one is done, and the next has
 * not begun. It costs nothing where nobody looks; a test looks, and ends the process there.
 */
export type Steps = (name: string) => void
