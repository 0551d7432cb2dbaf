const needed = 24
if (Number(process.versions.node.split('.')[0]) < needed) {
  process.stderr.write(`DAEMON_NODE_TOO_OLD: Node ${process.versions.node} is too old, ${needed} or newer is needed\n`)
  process.exit(69)
}
// Imported only now: an old Node would fail on the syntax of what follows.
const { runProgram } = await import('./daemon/program.ts')
process.exitCode = await runProgram(process.argv.slice(2))
