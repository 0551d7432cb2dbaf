import { anything, definePlugin, defineProvider, unary } from '@backplane/sdk'

const attacks = defineProvider('hostile.attacks', { run: unary(anything, anything) })

export default definePlugin((scope) => {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => console.log('no thanks'))
  scope.defer(() => {
    for (;;);
  })
  scope.provide(attacks, 'hangs-in-stop', {
    run: ({ name }) => (name === 'never' ? new Promise(() => {}) : { value: 'here' }),
  })
})
