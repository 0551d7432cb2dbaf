/** Where text is written that would tear the screen. */
export type TalkStream = Pick<NodeJS.WriteStream, 'write'>
/** What was written elsewhere while the screen was drawn. */
export interface HeldTalk extends Disposable {
  readonly lines: readonly string[]
}
/**
 * Keeps what anybody writes to a stream away from the screen, line by line, until disposed; then the newest of it is written
 * there after all. `onLine` is told of each.
 */
export declare function holdTalk(stream: TalkStream, onLine: (text: string) => void): HeldTalk
//# sourceMappingURL=held-talk.d.ts.map
