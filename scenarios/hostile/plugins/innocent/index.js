import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { anything, definePlugin, defineProvider, unary } from '@backplane/sdk'

const work = defineProvider('hostile.work', { run: unary(anything, anything) })

export default definePlugin(async (scope) => {
  const secret = await scope.secrets.get(scope.config.secret)
  // What another plugin is after: a file of this one's, with a secret in it.
  await writeFile(join(scope.directories.data, 'note'), secret)
  scope.provide(work, 'innocent', {
    run: async (value) => {
      if (value?.write === true) await writeFile(join(scope.directories.data, 'more'), String(value.n))
      return value
    },
  })
})
