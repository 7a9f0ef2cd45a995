import { z } from '@hono/zod-openapi'

const LEAST = 8
const MOST = 128

/** Harbor's rules: 8 to 128 characters, with an upper-case and a lower-case letter and a digit. */
export const Password = z
  .string()
  .min(LEAST, `needs at least ${LEAST} characters`)
  .max(MOST, `may have at most ${MOST} characters`)
  .refine((text) => /[A-Z]/.test(text) && /[a-z]/.test(text) && /[0-9]/.test(text), 'needs an upper-case letter, a lower-case letter and a digit')

/** Harbor asks the same of a robot's secret that somebody chooses. */
export const ChosenSecret = Password
