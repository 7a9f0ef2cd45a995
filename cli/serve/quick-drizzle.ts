import { registerHooks } from 'node:module'

/**
 * Tells Node what it would find out the long way: the modules of drizzle-orm are ES modules. To answer that for each of its hundred files
 * Node parses the package's list of exports again, 180 KB of it: a quarter of a second of a start. To be called before drizzle-orm is loaded.
 */
export function loadDrizzleQuickly(): void {
  registerHooks({
    resolve(specifier, context, next) {
      const { parentURL } = context
      if (specifier.startsWith('.') && specifier.endsWith('.js') && parentURL?.endsWith('.js') && parentURL.includes('/node_modules/drizzle-orm/'))
        return { url: new URL(specifier, parentURL).href, format: 'module', shortCircuit: true }
      return next(specifier, context)
    },
  })
}
