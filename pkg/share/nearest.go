package share

// Nearest is the word with the fewest letters to add, remove or exchange (Levenshtein's distance) from what was
// written, and how many they are; of equals the first. What was written is cut to a message's length first, so the work is bounded.
func Nearest(written string, words []string) (best string, fewest int) {
	fewest = -1
	for _, word := range words {
		if d := distance([]rune(cut(written)), []rune(word)); fewest < 0 || d < fewest {
			best, fewest = word, d
		}
	}
	return best, fewest
}

func distance(a, b []rune) int {
	row := make([]int, len(b)+1) // of the edits from a[:i] to each b[:j]
	for j := range row {
		row[j] = j
	}
	for i := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j := range b {
			exchange := diagonal
			if a[i] != b[j] {
				exchange++
			}
			diagonal = row[j+1]
			row[j+1] = min(exchange, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
