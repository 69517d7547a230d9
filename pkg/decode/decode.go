// Package decode reads what is needed of a JSON document, in one pass and without a type for all of it. It takes JSON as the API
// server does: names are case-sensitive, null is like nothing, and of two fields of one name the last counts.
package decode

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/go-faster/jx"
)

// Reader reads a document from its beginning to its end. Each of its methods takes the value that it stands at, or passes it over
// when it is null or of another type; the error says so in the end.
type Reader struct {
	json *jx.Decoder
	// broken says why the text is no JSON. Nothing is read after it.
	broken error
	// mismatch is the first value of another type than its field's. What follows it is still read.
	mismatch error
	// path leads to the value that the reader stands at, from that whose mismatches are reported.
	path []step
	// taken says that the value has been read or passed over.
	taken bool
}

// step is a field of an object, or an item of a list.
type step struct {
	field []byte // nil for an item
	item  int
}

var readers = sync.Pool{New: func() any { return &Reader{json: jx.DecodeBytes(nil)} }}

// Bytes has a document read. The error says why it is no JSON, or else which value is of a wrong type.
func Bytes(document []byte, read func(*Reader)) error {
	r := readers.Get().(*Reader)
	defer readers.Put(r)
	r.json.ResetBytes(document)
	r.broken, r.path = nil, r.path[:0]
	mismatch := r.Value(read)
	if r.broken == nil {
		// A value that is cut off ends like nothing at all, so whether one begins is looked at too.
		if begun := r.json.Next() != jx.Invalid; begun || !errors.Is(r.json.Skip(), io.EOF) {
			r.broken = errors.New("there is more behind its end")
		}
	}
	if r.broken != nil {
		return explain(document, r.broken)
	}
	return mismatch
}

// explain says what is wrong with a document in the words that everybody knows: the decoder's are about itself, and may be wrong.
func explain(document []byte, broken error) error {
	if err := json.Unmarshal(document, new(json.RawMessage)); err != nil {
		return err
	}
	return broken
}

// Value has a value read as a document of its own: its mismatches are its error, and named from there.
func (r *Reader) Value(read func(*Reader)) error {
	path, mismatch := r.path, r.mismatch
	r.path, r.mismatch, r.taken = r.path[len(r.path):], nil, false
	read(r)
	r.pass()
	err := r.mismatch
	r.path, r.mismatch = path, mismatch
	return err
}

// Fields are the names of an object's fields. After each the reader stands at its value, which need not be taken. A name is valid until
// the next one.
func (r *Reader) Fields() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) { r.fields(yield) }
}

func (r *Reader) fields(yield func([]byte) bool) {
	if !r.at(jx.Object) {
		return
	}
	object, err := r.json.ObjIter()
	r.check(err)
	r.path = append(r.path, step{})
	here, wanted := len(r.path)-1, true
	for r.broken == nil && object.Next() {
		name := object.Key()
		r.path[here].field, r.taken = name, false
		wanted = wanted && yield(name)
		r.pass()
	}
	r.check(object.Err())
	r.path, r.taken = r.path[:here], true
}

// Items are the indexes of a list's items. At each the reader stands at it.
func (r *Reader) Items() iter.Seq[int] {
	return func(yield func(int) bool) { r.items(yield) }
}

func (r *Reader) items(yield func(int) bool) {
	if !r.at(jx.Array) {
		return
	}
	list, err := r.json.ArrIter()
	r.check(err)
	r.path = append(r.path, step{})
	here, wanted := len(r.path)-1, true
	for n := 0; r.broken == nil && list.Next(); n++ {
		r.path[here].item, r.taken = n, false
		wanted = wanted && yield(n)
		r.pass()
	}
	r.check(list.Err())
	r.path, r.taken = r.path[:here], true
}

// String reads a string.
func (r *Reader) String(to *string) {
	if r.at(jx.String) {
		text, err := r.json.StrBytes()
		r.took(err)
		*to = toValid(text)
	}
}

// toValid copies a text. Each byte of what is no UTF-8 is replaced, as in the API server.
func toValid(text []byte) string {
	if utf8.Valid(text) {
		return string(text)
	}
	return string([]rune(string(text)))
}

// Bool reads true or false.
func (r *Reader) Bool(to *bool) {
	if r.at(jx.Bool) {
		value, err := r.json.Bool()
		r.took(err)
		*to = value
	}
}

// OptionalBool is Bool for a field whose absence means something.
func (r *Reader) OptionalBool(to **bool) {
	*to = nil
	if r.at(jx.Bool) {
		*to = new(bool)
		r.Bool(*to)
	}
}

// OptionalInt64 reads a whole number of 64 bits into a field whose absence means something.
func (r *Reader) OptionalInt64(to **int64) {
	*to = nil
	if !r.at(jx.Number) {
		return
	}
	number, err := r.json.Num()
	r.took(err)
	if r.broken != nil {
		return
	}
	value, err := strconv.ParseInt(string(number), 10, 64)
	if err != nil {
		r.report(fmt.Sprintf("must be a whole number of 64 bits, not %.64s", number))
		return
	}
	*to = &value
}

// Scalar reads a string, or a number as it is written.
func (r *Reader) Scalar(to *string) {
	if r.standsAt(jx.Number) {
		number, err := r.json.Num()
		r.took(err)
		*to = string(number)
		return
	}
	r.String(to)
}

// List reads a list, each item with a function. One that is there is not nil.
func List[T any](r *Reader, read func(*T, *Reader)) []T {
	if !r.at(jx.Array) {
		return nil
	}
	list := make([]T, 0, 4) // most are short
	for n := range r.Items() {
		list = append(list, *new(T))
		read(&list[n], r)
	}
	return list
}

// Optional reads a value for a field whose absence means something.
func Optional[T any](r *Reader, read func(*T, *Reader)) *T {
	if !r.Present() {
		return nil
	}
	value := new(T)
	read(value, r)
	return value
}

// Strings reads a list of strings. One that is there is not nil.
func (r *Reader) Strings(to *[]string) { *to = List(r, func(to *string, r *Reader) { r.String(to) }) }

// StringMap reads an object of strings. One that is there is not nil.
func (r *Reader) StringMap(to *map[string]string) {
	*to = nil
	if !r.at(jx.Object) {
		return
	}
	values := map[string]string{}
	for name := range r.Fields() {
		key, value := toValid(name), ""
		r.String(&value)
		values[key] = value
	}
	*to = values
}

// Present reports whether the value is anything but null. It takes nothing.
func (r *Reader) Present() bool { return r.broken == nil && !r.standsAt(jx.Null) }

// RequireObject reports a value that is no object, null included. It takes nothing.
func (r *Reader) RequireObject() {
	if r.broken == nil && !r.standsAt(jx.Object) {
		r.wrongType(jx.Object)
	}
}

func (r *Reader) standsAt(t jx.Type) bool { return r.broken == nil && r.json.Next() == t }

// at reports whether the reader stands at a value of a type. It passes over one of another type, and reports that unless it is null.
func (r *Reader) at(want jx.Type) bool {
	if r.broken != nil || r.taken {
		return false
	}
	if r.json.Next() == want {
		return true
	}
	if !r.standsAt(jx.Null) {
		r.wrongType(want)
	}
	r.pass()
	return false
}

// pass skips the value unless it has been taken.
func (r *Reader) pass() {
	if r.broken == nil && !r.taken {
		r.took(r.json.Skip())
	}
}

func (r *Reader) took(err error) {
	r.taken = true
	r.check(err)
}

// check notes that the text is no JSON.
func (r *Reader) check(err error) {
	if r.broken == nil {
		r.broken = err
	}
}

// nouns are the types of JSON in a sentence.
var nouns = map[jx.Type]string{
	jx.Null: "null", jx.Bool: "true or false", jx.Number: "a number", jx.String: "a string", jx.Array: "a list", jx.Object: "an object",
}

func (r *Reader) wrongType(want jx.Type) {
	if is, known := nouns[r.json.Next()]; known { // else it is no JSON, which skipping it finds
		r.report("must be " + nouns[want] + ", not " + is)
	}
}

func (r *Reader) report(problem string) {
	if r.mismatch == nil {
		r.mismatch = fmt.Errorf("%s %s", r.where(), problem)
	}
}

// where is the path in a message, such as spec.containers[0].
func (r *Reader) where() string {
	if len(r.path) == 0 {
		return "it"
	}
	var text strings.Builder
	for n, s := range r.path {
		switch {
		case s.field == nil:
			fmt.Fprintf(&text, "[%d]", s.item)
		case n == 0:
			text.Write(s.field)
		default:
			text.WriteString("." + string(s.field))
		}
	}
	return text.String()
}
