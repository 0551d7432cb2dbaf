/** First line of files that are exliar's own. */
export const writtenBy = '# Written by exliar and taken back by `exliar cleanup`.\n'
