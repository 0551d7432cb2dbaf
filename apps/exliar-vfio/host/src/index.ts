export { exliarErrors } from './errors.ts'
export { runExliar } from './program/run-exliar.ts'
export type { Terminal } from './program/terminal.ts'
