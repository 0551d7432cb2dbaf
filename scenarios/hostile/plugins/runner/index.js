import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { anything, definePlugin, defineProvider, unary } from '@backplane/sdk'

const attacks = defineProvider('hostile.attacks', { run: unary(anything, anything) })

// Node, started once more without its permission model, with the same attacks.
export default definePlugin((scope) => {
  scope.provide(attacks, 'runner', {
    run: ({ name, ...given }) =>
      new Promise((resolve) => {
        const attack = JSON.stringify({ name, given, directories: scope.directories })
        const program = join(scope.directories.code, 'attacks/bare.js')
        // Node hands its permissions on in the environment; the granted program leaves that out.
        const child = spawn('env', ['-i', process.execPath, '--no-warnings', program, attack])
        child.stdin.end()
        let said = ''
        child.on('error', (error) => resolve({ code: error.code }))
        for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk))
        child.on('close', (code, signal) => {
          const last = said
            .trim()
            .split('\n')
            .findLast((line) => line.startsWith('{'))
          resolve(last === undefined ? { code: signal ?? `exit ${code}`, said: said.slice(-500) } : JSON.parse(last))
        })
      }),
  })
})
