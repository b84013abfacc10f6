# What a program can carry to make gdb run it: a script by its text, and one by its file name.
    .section .debug_gdb_scripts, "MS", %progbits, 1
    .byte 4
    .ascii "gdb.inlined.script\n"
    .ascii "open(gdb.objfiles()[0].filename.rpartition('/')[0] + '/ran-inline', 'w')\n"
    .byte 0
    .byte 1
    .asciz "named.py"
    .section .note.GNU-stack, "", %progbits
