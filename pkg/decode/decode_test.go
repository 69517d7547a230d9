package decode_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	kjson "sigs.k8s.io/json"

	"github.com/podshare/podshare/pkg/decode"
)

// thing has a field of each kind that can be read.
type thing struct {
	Text   string            `json:"text"`
	Yes    bool              `json:"yes"`
	Maybe  *bool             `json:"maybe"`
	Number *int64            `json:"number"`
	Lines  []string          `json:"lines"`
	Map    map[string]string `json:"map"`
	Things []thing           `json:"things"`
	Other  *thing            `json:"other"`
}

func (x *thing) read(r *decode.Reader) {
	for field := range r.Fields() {
		switch string(field) {
		case "text":
			r.String(&x.Text)
		case "yes":
			r.Bool(&x.Yes)
		case "maybe":
			r.OptionalBool(&x.Maybe)
		case "number":
			r.OptionalInt64(&x.Number)
		case "lines":
			r.Strings(&x.Lines)
		case "map":
			r.StringMap(&x.Map)
		case "things":
			x.Things = decode.List(r, (*thing).read)
		case "other":
			x.Other = decode.Optional(r, (*thing).read)
		}
	}
}

func TestMismatchesAreNamed(t *testing.T) {
	for document, want := range map[string]string{
		`[]`:                               "it must be an object, not a list",
		`{"text":1,"yes":"no"}`:            "text must be a string, not a number",
		`{"yes":"true"}`:                   "yes must be true or false, not a string",
		`{"maybe":{}}`:                     "maybe must be true or false, not an object",
		`{"number":true}`:                  "number must be a number, not true or false",
		`{"number":1.5}`:                   "number must be a whole number of 64 bits, not 1.5",
		`{"number":1e400}`:                 "number must be a whole number of 64 bits, not 1e400",
		`{"number":-99999999999999999999}`: "number must be a whole number of 64 bits, not -99999999999999999999",
		`{"lines":["a",2]}`:                "lines[1] must be a string, not a number",
		`{"map":{"a/b":[]}}`:               "map.a/b must be a string, not a list",
		`{"things":[{},{"other":{"lines":[[]]}}]}`: "things[1].other.lines[0] must be a string, not a list",
		`{"text":"é`:                 "unexpected end of JSON input",
		`{"text":1`:                  "unexpected end of JSON input",
		`{"x":01}`:                   "invalid character '1' after object key:value pair",
		`{"x":"\q"}`:                 "invalid character 'q' in string escape code",
		"{\"x\":\"\n\"}":             `invalid character '\n' in string literal`,
		`{"x":[1,]}`:                 "invalid character ']' looking for beginning of value",
		`{} {}`:                      "invalid character '{' after top-level value",
		``:                           "unexpected end of JSON input",
		strings.Repeat("[", 100_000): "invalid character '[' exceeded max depth",
		`{"x":` + strings.Repeat(`{"x":`, 100_000): "invalid character '{' exceeded max depth",
	} {
		t.Run(document[:min(len(document), 40)], func(t *testing.T) {
			assert.EqualError(t, decode.Bytes([]byte(document), new(thing).read), want)
		})
	}
}

func TestAValueOnItsOwnNamesItsMismatchesFromThere(t *testing.T) {
	var inner error
	var text string
	outer := decode.Bytes([]byte(`{"a":{"b":[{"text":1}]},"text":"later"}`), func(r *decode.Reader) {
		for field := range r.Fields() {
			switch string(field) {
			case "a":
				for range r.Fields() {
					for range r.Items() {
						inner = r.Value(new(thing).read)
					}
				}
			case "text":
				r.String(&text)
			}
		}
	})
	require.NoError(t, outer)
	assert.EqualError(t, inner, "text must be a string, not a number")
	assert.Equal(t, "later", text)
}

func TestLoopsThatEndEarlySkipTheRest(t *testing.T) {
	var after bool
	require.NoError(t, decode.Bytes([]byte(`{"list":[1,2,{"a":"}"}],"object":{"a":1,"b":2},"yes":true}`), func(r *decode.Reader) {
		for field := range r.Fields() {
			switch string(field) {
			case "list":
				for range r.Items() {
					break
				}
			case "object":
				for range r.Fields() {
					break
				}
			case "yes":
				r.Bool(&after)
			}
		}
	}))
	assert.True(t, after)
}

// FuzzBytes: a document is read as the API server's own decoder reads it, and refused when that refuses it.
func FuzzBytes(f *testing.F) {
	for _, seed := range []string{
		`{"text":"a\u00e9\ud83d\ude00\ud800\\\"\/","yes":true,"maybe":false,"number":-9223372036854775808,"lines":["a",null],"map":{"k":null,"\t":"x"}}`,
		`{"Text":"A","things":[null,{"other":{"things":[]}}],"other":null,"lines":null,"map":null,"maybe":null,"number":null}`,
		`{"x":[1,-0.5e+10,true,false,null,"",{},[]]}`, " \t\r\n{ \"yes\" : false }\n", `null`, "{\"text\":\"\xff\xc0\"}", `{"number":1.0}`, `{"yes":1}`, `{"lines":{}}`,
		`{}{"":`, `{}[`, `{} x`, "{} \n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		var want, got thing
		duplicates, wantErr := kjson.UnmarshalStrict(document, &want, kjson.DisallowDuplicateFields)
		gotErr := decode.Bytes(document, got.read)
		if len(duplicates) > 0 {
			return
		}
		require.Equal(t, wantErr == nil, gotErr == nil, "%v, %v", wantErr, gotErr)
		if gotErr == nil {
			assert.Equal(t, want, got)
		}
	})
}
