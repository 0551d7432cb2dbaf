#!/usr/bin/env node
const needed = 24
if (Number(process.versions.node.split('.')[0]) < needed) {
  process.stderr.write(`exliar needs Node ${needed} or newer, and this is ${process.versions.node}\n`)
  process.exit(69)
}

// A reader that has seen enough (`| head`) is no failure.
process.stdout.on('error', (error) => {
  if (Reflect.get(error, 'code') === 'EPIPE') process.exit(0)
  throw error
})

// Imported only now: an old Node would fail on the syntax of what follows.
const { runExliar } = await import('./program/run-exliar.ts')
const { processTerminal } = await import('./program/terminal.ts')
process.exitCode = await runExliar(process.argv.slice(2), processTerminal())
