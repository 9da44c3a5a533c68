/* sysinit_bytes.S - the program sysinit as data. SYSINIT_PATH is given by meson.build. */
        .section .rodata
        .global sysinit_bytes
        .global sysinit_bytes_end
        .balign 16
sysinit_bytes:
        .incbin SYSINIT_PATH
sysinit_bytes_end:
        .byte 0
        .section .note.GNU-stack, "", %progbits
