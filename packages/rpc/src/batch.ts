import { checkPresent } from './value-parts.ts'

/** A message with more than this in text and parts leaves alone: joining it would copy. */
const aloneAt = 16 * 1024
/** A batch leaves when it has this much, so that the other side begins while this one goes on. */
const batchUnits = 16 * 1024
