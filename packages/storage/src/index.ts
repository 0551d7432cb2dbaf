export { storageErrors, type StorageErrorCode } from './errors.ts'
export { sqliteStore, type SqliteStoreOptions } from './sqlite-store.ts'
