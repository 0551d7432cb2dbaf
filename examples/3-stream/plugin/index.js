// Plain JavaScript: what an author publishes, after a build or without one.
import { createHash } from 'node:crypto'
import { definePlugin } from '@backplane/sdk'
import { tape } from '@example/tape'

export default definePlugin((scope) => {
  let made = 0
  scope.provide(tape, 'pattern', {
    async *read({ pieces, pieceBytes }, call) {
      try {
        for (let piece = 0; piece < pieces; piece++) {
          made += 1
          call.progress(piece + 1, pieces, 'reading')
          // The bytes are handed over: they must not be touched after `yield`.
          yield { at: piece * pieceBytes, bytes: new Uint8Array(pieceBytes).fill(piece) }
        }
      } finally {
        scope.log.info(`rewound after ${made} pieces`)
      }
    },
    checksum: (bytes) => createHash('sha256').update(bytes).digest('hex'),
    piecesMade: () => made,
  })
})
