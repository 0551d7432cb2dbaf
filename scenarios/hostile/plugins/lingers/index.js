import fs from 'node:fs'
import { join } from 'node:path'
import { anything, definePlugin, defineProvider, unary } from '@backplane/sdk'

const attacks = defineProvider('hostile.attacks', { run: unary(anything, anything) })

export default definePlugin((scope) => {
  const path = join(scope.directories.data, 'still-here')
  fs.appendFileSync(path, '.')
  setInterval(() => fs.appendFileSync(path, '.'), 5)
  scope.provide(attacks, 'lingers', { run: () => ({ value: path }) })
})
