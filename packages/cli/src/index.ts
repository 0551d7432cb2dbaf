export { backplaneErrors } from './errors.ts'
export { runBackplane } from './program.ts'
export type { Terminal } from './terminal/terminal.ts'
