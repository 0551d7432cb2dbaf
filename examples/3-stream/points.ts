import { defineProvider, stream, unary } from '@backplane/sdk'
import { z } from 'zod'

/** One piece of a tape: where it belongs, and its bytes, which travel uncopied where they can. */
export const Piece = z.object({ at: z.number().int().nonnegative(), bytes: z.instanceof(Uint8Array) })

/** Something that bytes are read from, piece by piece, and that can check them. */
export const tape = defineProvider('example.tape', {
  read: stream(z.object({ pieces: z.number().int().positive(), pieceBytes: z.number().int().positive() }), Piece),
  checksum: unary(z.instanceof(Uint8Array), z.string()),
  piecesMade: unary(z.null(), z.number()),
})
