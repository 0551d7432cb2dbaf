import { commandExecutor } from './command-executor.ts'
import type { Executors } from './executor.ts'
import { fileExecutor } from './file-executor.ts'

/** Files and programs; what knows more than those is added. */
export const standardExecutors: Executors = { 'write-file': fileExecutor, 'run-command': commandExecutor }
