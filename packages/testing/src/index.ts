export { requireProgram } from './require-program.ts'
export { sourceContract, type SourceRequest } from './source-contract.ts'
export { storeContract } from './store-contract.ts'
export { temporaryDirectory } from './temporary-directory.ts'
