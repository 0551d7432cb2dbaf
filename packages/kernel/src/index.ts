export type * from './events.ts'
export type * from './kernel.ts'
export type * from './ports.ts'
export type * from './record.ts'
