# Makes a text a C string, containerd_schema: each line one literal.
1i extern const char containerd_schema[]; const char containerd_schema[] =
s/["\\]/\\&/g
s/.*/"&\\n"/
$a ;
