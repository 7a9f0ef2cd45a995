/** What an edge says of itself to its origin and in health. A Worker has no package.json to read: a test holds the two together. */
export const VERSION = '0.1.0'
