import fs from 'node:fs'
import { anything, definePlugin, defineProvider, unary } from '@backplane/sdk'

const attacks = defineProvider('hostile.attacks', { run: unary(anything, anything) })

export default definePlugin((scope) => {
  scope.provide(attacks, 'half-a-frame', {
    run: () => {
      const bytes = Buffer.alloc(13)
      bytes.writeUInt32BE(108, 0)
      bytes.writeUInt32BE(100, 4)
      fs.writeSync(3, bytes)
      return new Promise(() => {})
    },
  })
})
