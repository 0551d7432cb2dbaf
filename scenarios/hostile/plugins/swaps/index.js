import { spawn } from 'node:child_process'
import fs from 'node:fs'
import { anything, definePlugin, defineProvider, unary } from '@backplane/sdk'

const attacks = defineProvider('hostile.attacks', { run: unary(anything, anything) })

const swap = `const fs = require('node:fs'); const [path, target] = process.argv.slice(1)
fs.rmSync(path, { recursive: true, force: true }); fs.symlinkSync(target, path)`

export default definePlugin((scope) => {
  scope.provide(attacks, 'swaps', {
    run: async ({ name, path, target }) => {
      try {
        if (name === 'read') return { value: fs.readFileSync(path, 'utf8') }
        // Node's permission model makes no links; the granted program is not held to it.
        const child = spawn('env', ['-i', process.execPath, '-e', swap, path, target])
        const code = await new Promise((resolve, reject) => child.once('close', resolve).once('error', reject))
        return code === 0 ? { value: 'swapped' } : { code: `exit ${code}` }
      } catch (error) {
        return { code: error.code ?? error.message }
      }
    },
  })
})
