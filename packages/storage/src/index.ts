export { storageErrors, type StorageErrorCode } from './errors.ts'
export { openDatabase, type DatabaseFormat, type DatabaseOptions } from './open-database.ts'
export { sqliteFailure } from './sqlite-failure.ts'
export { sqliteStore } from './sqlite-store.ts'
