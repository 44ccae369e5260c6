"""Values to JSON and back, strictly: what is stored is what was meant, or it is refused at the call.

Rules
1. What a type may be is decided when it is defined (`check_type`): everything in it comes back from JSON as
   what it was. Anything else is refused, all problems at once, each with its place and a remedy.
2. What a value may be is decided when it is encoded (`TypeCodec.roundtrip`): it is encoded, read back, and
   compared with a sameness of our own (see `sameness`). The twin that was read back is what is handed on, so
   what a process sees live is what it will see after a restart. Where that can be seen without reading it back
   (see `plainness`), a value that nobody can change is its own twin.
3. Stored data is read tolerantly: unknown fields are left out, missing ones get their default.
4. A value's own code (`__eq__`, `__post_init__`, `__repr__`) may do what it likes; it ends as `NotEncodable`
   or `NotDecodable`. Only `KeyboardInterrupt` and `MemoryError` pass: they say nothing about the value.
5. A value has the same bytes in every process. Equal values need not have: `1` and `1.0` in a float field,
   Decimals of other digits, dicts filled in another order are stored as they are.

This package knows nothing of sagas, stores, threads or files. How to read it: `shapes` is what a type looks
like once it was understood, `reading` understands it, `fingerprint`, `sameness` and `plainness` are made of it,
`refusal` finds out what was wrong with a value, `type_codec` is the way in, `registry` keeps the types of one
runtime. `decoding` is for JSON that is no author's value.
"""

from saga.codec.decoding import decoding
from saga.codec.reading import check_type
from saga.codec.registry import TypeRegistry
from saga.codec.shapes import MAX_DEPTH
from saga.codec.type_codec import MAX_BYTES, TypeCodec, codec_for

__all__ = ["MAX_BYTES", "MAX_DEPTH", "TypeCodec", "TypeRegistry", "check_type", "codec_for", "decoding"]
