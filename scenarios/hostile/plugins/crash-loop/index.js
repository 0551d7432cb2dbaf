import { anything, definePlugin, defineProvider, unary } from '@backplane/sdk'

const attacks = defineProvider('hostile.attacks', { run: unary(anything, anything) })

export default definePlugin((scope) => {
  scope.provide(attacks, 'crash-loop', { run: () => new Promise(() => {}) })
  setTimeout(() => process.exit(1), 50)
})
