"""The command line, for any store, whether it is in use or not: `saga list`, `show`, `trace`, `deliveries`, `verify`
and `doctor`.

    main            the commands and their options, exit codes, what becomes of errors
    listing, showing, tracing, delivering, verifying, examining     one command each
    examination     what `doctor` looks at
    output          what `--json` prints, as types; the text is made from the same values
    waiting         what a saga waits for, and what a person can do about it
    stores          the files of a store, and findings about them
    terminal        lines that fit, colours, and stored text made harmless
    values          times, durations and sizes in words

Rules
1. Nothing is changed, and no code of the store's authors is needed: what is shown comes from the stored
   graphs and journals.
2. Data goes to stdout, everything else to stderr. Stored text gets to a terminal only with its control
   characters escaped.
3. An error of this library is one line that says what to do, and an exit code; never a traceback.
"""
