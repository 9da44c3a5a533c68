/*
 * fuzz_image_ref.c - any text as an image name: refused, or normalized for good.
 *
 * Room:       tests.   Called by: libFuzzer (meson option fuzz).
 */
#include "images.h"

#include "cleanup.h"
#include "error.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ct_error err = {0};
    CT_AUTO_FREE char *text = strndup((const char *)data, size);
    CT_AUTO_FREE char *full = text ? image_ref_normalize(text, &err) : NULL;
    CT_AUTO_FREE char *repository = NULL;
    CT_AUTO_FREE char *tag = NULL;

    if (!full) {
        return 0;
    }
    /* What is normal stays, the short form leads back, and both have the same columns. */
    CT_AUTO_FREE char *again = image_ref_normalize(full, &err);
    CT_AUTO_FREE char *familiar = image_ref_familiar(full, true);
    CT_AUTO_FREE char *back = image_ref_normalize(familiar, &err);
    if (!again || strcmp(again, full) != 0 || !back || strcmp(back, full) != 0 ||
        image_ref_split(full, &repository, &tag, &err) < 0) {
        abort();
    }
    return 0;
}
