#!/usr/bin/env node
import { nodeProblem } from './daemon/require-node.ts'

const problem = nodeProblem(process.versions.node)
if (problem !== undefined) {
  process.stderr.write(problem)
  process.exit(69)
}
// Imported only now: an old Node would fail on the syntax of what follows.
const { runProgram } = await import('./daemon/program.ts')
process.exitCode = await runProgram(process.argv.slice(2))
