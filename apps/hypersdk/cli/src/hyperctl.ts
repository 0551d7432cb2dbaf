#!/usr/bin/env node
const needed = 24
if (Number(process.versions.node.split('.')[0]) < needed) {
  process.stderr.write(`hyperctl needs Node ${needed} or newer, and this is ${process.versions.node}\n`)
  process.exit(69)
}
// A reader that has seen enough (`| head`) is no failure.
process.stdout.on('error', (error) => {
  if (Reflect.get(error, 'code') === 'EPIPE') process.exit(0)
  throw error
})
// That nobody hears the talk is no reason to stop in the middle of something.
process.stderr.on('error', () => undefined)
// Imported only now: an old Node would fail on the syntax of what follows.
const { runHyperctl } = await import('./program.ts')
const { processTerminal } = await import('./terminal/process-terminal.ts')
process.exitCode = await runHyperctl(process.argv.slice(2), processTerminal())
