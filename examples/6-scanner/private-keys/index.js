import { definePlugin, scanner } from '@backplane/sdk'

const beginning = /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/

/** Called with every file, or piece of one, of one package; lines may lie across two pieces. */
function look() {
  const findings = []
  let rest = ''
  let line = 1
  return {
    file({ path, offset, bytes }) {
      if (offset === 0) [rest, line] = ['', 1]
      const lines = (rest + Buffer.from(bytes).toString('latin1')).split('\n')
      for (const [at, text] of lines.entries()) {
        if (beginning.test(text)) {
          const message = 'holds a private key'
          findings.push({
            rule: 'found',
            severity: 'danger',
            file: path,
            line: line + at,
            message,
            fix: 'Take it out, and make a new one.',
          })
        }
      }
      // the last line may go on; one that was looked at already is not looked at again
      const last = lines.at(-1)
      rest = beginning.test(last) ? '' : last.slice(-1_000)
      line += lines.length - 1
    },
    findings: () => findings.slice(0, 1_000),
  }
}

export default definePlugin((scope) => {
  scope.provide(scanner, 'private-keys', { open: () => look() })
})
