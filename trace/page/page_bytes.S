/* page_bytes.S - the page as data: its three files. their paths are given by meson.build. */
        .section .rodata
        .global page_html, page_html_end, page_css, page_css_end, page_js, page_js_end
page_html:
        .incbin PAGE_HTML
page_html_end:
        .byte 0 /* it is searched as a string */
page_css:
        .incbin PAGE_CSS
page_css_end:
page_js:
        .incbin PAGE_JS
page_js_end:
        .section .note.GNU-stack, "", %progbits
