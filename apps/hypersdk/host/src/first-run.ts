import { nodeProblem } from './daemon/require-node.ts'

const problem = nodeProblem(process.versions.node)
if (problem !== undefined) {
  process.stderr.write(problem)
  process.exit(69)
}
// Imported only now: an old Node would fail on the syntax of what follows.
const { firstRun } = await import('./first-run/first-run.ts')
process.exitCode = await firstRun('.hypersdk')
