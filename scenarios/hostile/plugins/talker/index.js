import { anything, definePlugin, defineProvider, unary } from '@backplane/sdk'
import { canaries } from './canaries.js'
import { memory } from './memory.js'
import { reach } from './reach.js'
import { values } from './values.js'
import { wire } from './wire.js'

const attacks = defineProvider('hostile.attacks', { run: unary(anything, anything), count: unary(anything, anything) })

export default definePlugin((scope) => {
  const all = { ...canaries, ...memory, ...reach, ...values, ...wire }
  scope.provide(attacks, scope.plugin.id.split('/')[1], {
    run: async ({ name, ...given }, call) => {
      try {
        return { value: await all[name](given, scope, call) }
      } catch (error) {
        if (given.throws === true) throw error
        return { code: error.code ?? error.message }
      }
    },
    // The host's schema wants a number of at most a hundred.
    count: ({ kind }) => ({ text: 'three', large: Infinity, nothing: undefined, list: [1], missing: NaN })[kind],
  })
})
