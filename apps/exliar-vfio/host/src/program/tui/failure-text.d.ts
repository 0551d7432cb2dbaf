/** An error in one line, with what to do about it where that is known. */
export declare function failureText(error: unknown): string
//# sourceMappingURL=failure-text.d.ts.map
