#!/usr/bin/env node
const needed = 24
if (Number(process.versions.node.split('.')[0]) < needed) {
  process.stderr.write(`exliar needs Node ${needed} or newer, and this is ${process.versions.node}\n`)
  process.exit(69)
}

process.stdout.on('error', (error) => {
  const code: unknown = Reflect.get(error, 'code')
  // A reader that has seen enough (`| head`) is no failure.
  if (code === 'EPIPE') process.exit(0)
  // The terminal is gone. SIGHUP says so too, and what is being done must first be taken back.
  if (code !== 'EIO') throw error
})
// That nobody hears the talk is no reason to stop in the middle of something.
process.stderr.on('error', () => undefined)

// Imported only now: an old Node would fail on the syntax of what follows.
const { runExliar } = await import('./program/run-exliar.ts')
const { processTerminal } = await import('./program/terminal.ts')
process.exitCode = await runExliar(process.argv.slice(2), processTerminal())
